/** Just enough of HTTP/2 (RFC 9113, section 4.1) to see which frames pass by. */

/** One frame: 0 is DATA, 1 is HEADERS; flag 1 ends the stream on these two. */
export type Frame = {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
};

/** What every HTTP/2 client sends first. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const HEADER_BYTES = 9;

/** Takes the bytes of one direction in pieces of any size and gives the frames that each piece completes. */
export function frameReader(): (chunk: Buffer) => readonly Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      frames.push({
        type: rest.readUInt8(3),
        flags: rest.readUInt8(4),
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: rest.subarray(HEADER_BYTES, end),
      });
      rest = rest.subarray(end);
    }
    return frames;
  };
}
