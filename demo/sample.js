// The sample: lines of a log, always the same.

const LINES = ["info: opened the file", "info: mapped 65536 bytes at an offset of 4096", "warning: the disk is slow",
  "info: wrote 16 bytes in one page", "debug: nothing to do"];

/** Returns about `size` bytes. One line in `every` is an error. */
export function sample(size = 8 << 20, every = 5000) {
  const parts = [];
  for (let line = 1, length = 0; length < size; line += 1) {
    // A simple random number generator: it only has to differ from line to line.
    const random = Math.imul(line, 2654435761) >>> 16;
    const what = line % every === 0 ? `error: page ${random} could not be read` : LINES[random % LINES.length];
    const text = `${String(line).padStart(8, "0")} ${what}\n`;
    parts.push(text);
    length += text.length;
  }
  return parts.join("");
}
