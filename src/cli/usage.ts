/** Bad input: one line that names the flag, what was given and what is allowed; the program ends with 2. */
import { codeOf, RollcallError, reason } from "../lib/errors.ts";

/** The error for bad input. Never put a value into `line` that may be a secret. */
export function usageError(line: string, hint: string | null = null): RollcallError {
  return new RollcallError("usage", line, { hint });
}

/** Text that cannot break a line, drive a terminal or turn its direction: control characters become spaces. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]+/gu, " ");
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(near: string | null): string {
  return near === null ? "" : ` (did you mean ${near}?)`;
}

/** Reads whole small files, and the names in a directory. Throws the system's error, or a RollcallError, when it cannot. */
export type Files = { read(path: string): string; list(path: string): readonly string[] };

/** Reads a file that `where` (a flag, a variable or a key) names, or throws one usage line that begins with it. */
export function readGiven(files: Files, where: string, path: string): string {
  try {
    return files.read(path);
  } catch (error) {
    throw usageError(`${where}: ${path}: ${fileProblem(error)}`);
  }
}

function fileProblem(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "EISDIR":
      return "is a directory";
    default:
      return reason(error);
  }
}
