/**
 * Builds `dist/`: one small entry and a lazily loaded chunk for each subcommand and provider, so that an
 * agent loads only the store client it uses.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

const { metafile, outputFiles } = await build({
  entryPoints: ["src/main.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node22",
  minifySyntax: true,
  minifyWhitespace: true,
  // Stack traces and error names stay readable.
  keepNames: false,
  legalComments: "none",
  chunkNames: "chunks/[name]-[hash]",
  define: { "process.env.ROLLCALL_BUILD_VERSION": JSON.stringify(version) },
  // CommonJS packages in the bundle ask for these two.
  // The young generation of an agent fits into 1 MiB; the default lets it grow to 16 and costs 5 MiB for nothing.
  banner: {
    js: [
      "#!/usr/bin/env -S node --max-semi-space-size=1",
      'import{createRequire as __createRequire}from"node:module";',
      'import{dirname as __dirnameOf}from"node:path";import{fileURLToPath as __pathOf}from"node:url";',
      "const require=__createRequire(import.meta.url);const __filename=__pathOf(import.meta.url);const __dirname=__dirnameOf(__filename);",
    ].join("\n"),
  },
  logLevel: "warning",
  metafile: true,
  write: false,
});
// A program that is just starting reads whole files, and the entry only once all that it leads to is there.
const isEntry = ({ path }: { readonly path: string }) => Number(path.endsWith("/dist/main.js"));
for (const { path, contents } of outputFiles.sort((a, b) => isEntry(a) - isEntry(b))) {
  if (existsSync(path) && readFileSync(path).equals(contents)) continue;
  mkdirSync(dirname(path), { recursive: true });
  // The image and `npm link` start it through a symbolic link.
  writeFileSync(`${path}.new`, contents, { mode: isEntry({ path }) ? 0o755 : 0o644 });
  renameSync(`${path}.new`, path);
}
// etcd3 reads its protocol from `../proto` beside the chunk it is in.
cpSync("node_modules/etcd3/proto", "dist/proto", { recursive: true });
// Chunks of earlier builds go last: a program that is just starting finds its own until then.
for (const name of readdirSync("dist/chunks"))
  if (metafile.outputs[`dist/chunks/${name}`] === undefined) rmSync(`dist/chunks/${name}`);
