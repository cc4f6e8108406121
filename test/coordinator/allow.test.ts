import { describe, expect, it } from "vitest";
import { networkProblem, openAllowList, plainIp } from "../../src/coordinator/allow.ts";

const refuses = (cidrs: readonly string[], ip: string) =>
  openAllowList({ cidrs: [...cidrs], ports: [4100] }).refuses(ip);

describe("an allow-list", () => {
  it("allows what is on it, and nothing when it is empty", () => {
    const list = ["10.0.0.0/8", "192.168.7.7", "fd00::/8", "2001:db8::5"];
    for (const ip of [
      "10.0.0.1",
      "10.255.255.255",
      "192.168.7.7",
      "fd12:3456::1",
      "2001:db8::5",
      "2001:DB8:0::5",
    ])
      expect([ip, refuses(list, ip)]).toEqual([ip, null]);
    for (const ip of [
      "11.0.0.1",
      "9.255.255.255",
      "192.168.7.8",
      "127.0.0.1",
      "::1",
      "fe00::1",
      "2001:db8::6",
    ])
      expect([ip, refuses(list, ip)]).toEqual([ip, "is not in the allow-list"]);
    expect(refuses([], "10.0.0.1")).toBe("is not in the allow-list");
  });

  it("takes an IPv4-mapped address for the one that it reaches", () => {
    for (const ip of ["::ffff:10.1.2.3", "::FFFF:a01:203", "0:0:0:0:0:ffff:10.1.2.3"])
      expect([ip, refuses(["10.0.0.0/8"], ip), refuses(["::/0"], ip)]).toEqual([
        ip,
        null,
        "is not in the allow-list",
      ]);
    expect(refuses(["::ffff:10.0.0.0/104"], "10.1.2.3")).toBeNull();
    expect(refuses(["::ffff:10.0.0.0/104"], "11.1.2.3")).toBe("is not in the allow-list");
    expect(plainIp("::ffff:169.254.1.2")).toBe("169.254.1.2");
  });

  const everything = ["0.0.0.0/0", "::/0", "169.254.0.0/16", "fe80::/10", "100.100.100.200"];
  it.each([
    ["169.254.169.254", "is link-local"],
    ["169.254.0.1", "is link-local"],
    ["::ffff:169.254.169.254", "is link-local"],
    ["::ffff:a9fe:a9fe", "is link-local"],
    ["64:ff9b::169.254.169.254", "is link-local"],
    ["2002:a9fe:a9fe::1", "is link-local"],
    ["fe80::1", "is link-local"],
    ["febf::1", "is link-local"],
    ["0.0.0.0", "is no machine's address"],
    ["0.1.2.3", "is no machine's address"],
    ["::", "is no machine's address"],
    ["::ffff:0.0.0.0", "is no machine's address"],
    ["::169.254.169.254", "is no machine's address"],
    ["224.0.0.1", "is multicast"],
    ["239.255.255.255", "is multicast"],
    ["ff02::1", "is multicast"],
    ["255.255.255.255", "is reserved"],
    ["100.100.100.200", "is a metadata service"],
    ["168.63.129.16", "is a metadata service"],
    ["fd00:ec2::254", "is a metadata service"],
    ["fd00:0ec2:0:0:0:0:0:254", "is a metadata service"],
    ["fe80::1%eth0", "is no IP address"],
    ["[::1]", "is no IP address"],
    ["10.1", "is no IP address"],
    ["0x7f.0.0.1", "is no IP address"],
    ["", "is no IP address"],
  ])("never allows %s", (ip, why) => {
    expect(refuses(everything, ip)).toBe(why);
  });

  it.each([
    "127.0.0.1",
    "::1",
    "100.100.100.201",
    "170.254.1.1",
    "223.255.255.255",
    "fec0::1",
    "fd00:ec2::255",
  ])("allows %s when everything is allowed", (ip) => {
    expect(refuses(everything, ip)).toBeNull();
  });

  it("has ports", () => {
    const list = openAllowList({ cidrs: ["::/0"], ports: [4100, 4200] });
    expect([4100, 4200, 4101, 22, 0].map(list.port)).toEqual([true, true, false, false, false]);
    expect(openAllowList({ cidrs: ["::/0"], ports: [] }).port(4100)).toBe(false);
  });

  it("is refused as a whole when one of its networks cannot be read", () => {
    const bad = [
      "10.0.0.0/33",
      "10.0.0/8",
      "fd00::/129",
      "[fd00::]/8",
      "ten",
      "10.0.0.0/",
      "10.0.0.0/8 ",
      "::ffff:10.0.0.0/95",
    ];
    for (const cidr of bad) {
      expect([cidr, networkProblem(cidr)]).toEqual([
        cidr,
        "is no network; write one as in 10.0.0.0/8 or fd00::/8",
      ]);
      expect(() => openAllowList({ cidrs: ["10.0.0.0/8", cidr], ports: [] })).toThrow(
        `allow: ${cidr} is no network`,
      );
    }
    for (const cidr of ["10.0.0.0/8", "10.0.0.1", "::/0", "::1", "0.0.0.0/0", "::ffff:10.0.0.0/96"])
      expect([cidr, networkProblem(cidr)]).toEqual([cidr, null]);
  });
});
