// A file for a WASI program that runs in a worker: a `Blob`, such as one that a visitor has picked. What the program
// reads is read from the blob at that moment, and what it writes is kept beside it, in pages.

import { Fd, Inode, wasi } from "./shim/index.js";

export const PAGE = 4096;

const reader = new FileReaderSync();
const load = (blob, from, to) => new Uint8Array(reader.readAsArrayBuffer(blob.slice(from, to)));

export class BlobFile extends Inode {
  /** `moved(kind, from, to)` is called for each read and write of the program. */
  constructor(blob, moved) {
    super();
    this.blob = blob;
    this.moved = moved;
    /** The pages that were written to, by their numbers. */
    this.pages = new Map();
  }

  path_open(oflags) {
    if ((oflags & wasi.OFLAGS_TRUNC) !== 0) return { ret: wasi.ERRNO_NOTSUP, fd_obj: null };
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenBlob(this) };
  }

  stat() {
    return new wasi.Filestat(this.ino, wasi.FILETYPE_REGULAR_FILE, BigInt(this.blob.size));
  }

  read(from, size) {
    const to = Math.min(from + size, this.blob.size);
    if (from >= to) return new Uint8Array();
    const data = load(this.blob, from, to);
    for (const [number, page] of this.pages) {
      const start = number * PAGE;
      if (start >= to || start + page.length <= from) continue;
      const part = page.subarray(Math.max(from - start, 0), to - start);
      data.set(part, Math.max(start - from, 0));
    }
    this.moved("read", from, to);
    return data;
  }

  write(from, data) {
    const to = from + data.length;
    for (let number = Math.floor(from / PAGE); number * PAGE < to; number += 1) {
      const start = number * PAGE;
      if (!this.pages.has(number)) this.pages.set(number, load(this.blob, start, start + PAGE));
      const part = data.subarray(Math.max(start - from, 0), start + PAGE - from);
      this.pages.get(number).set(part, Math.max(from - start, 0));
    }
    if (from < to) this.moved("written", from, to);
  }

  /** The file with what was written. Parts that were not written to are not copied. */
  changed() {
    const parts = [];
    let done = 0;
    for (const number of [...this.pages.keys()].sort((a, b) => a - b)) {
      const page = this.pages.get(number);
      parts.push(this.blob.slice(done, number * PAGE), page);
      done = number * PAGE + page.length;
    }
    return new Blob([...parts, this.blob.slice(done)]);
  }
}

/** The file with a position. Neither of the programs makes a file longer or shorter, and so this cannot. */
class OpenBlob extends Fd {
  constructor(file) {
    super();
    this.file = file;
    this.position = 0;
  }

  fd_fdstat_get() {
    return { ret: wasi.ERRNO_SUCCESS, fdstat: new wasi.Fdstat(wasi.FILETYPE_REGULAR_FILE, 0) };
  }

  fd_filestat_get() {
    return { ret: wasi.ERRNO_SUCCESS, filestat: this.file.stat() };
  }

  fd_pread(size, offset) {
    try {
      return { ret: wasi.ERRNO_SUCCESS, data: this.file.read(Number(offset), size) };
    } catch {
      // The file on the visitor's disk has changed or is gone since it was picked.
      return { ret: wasi.ERRNO_IO, data: new Uint8Array() };
    }
  }

  fd_read(size) {
    const result = this.fd_pread(size, this.position);
    this.position += result.data.length;
    return result;
  }

  fd_pwrite(data, offset) {
    if (Number(offset) + data.length > this.file.blob.size) return { ret: wasi.ERRNO_FBIG, nwritten: 0 };
    try {
      this.file.write(Number(offset), data);
    } catch {
      return { ret: wasi.ERRNO_IO, nwritten: 0 };
    }
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.length };
  }

  fd_write(data) {
    const result = this.fd_pwrite(data, this.position);
    this.position += result.nwritten;
    return result;
  }

  fd_seek(offset, whence) {
    const from = { [wasi.WHENCE_SET]: 0, [wasi.WHENCE_CUR]: this.position, [wasi.WHENCE_END]: this.file.blob.size };
    const position = from[whence] + Number(offset);
    // Not a number for an unknown `whence`.
    if (!(position >= 0)) return { ret: wasi.ERRNO_INVAL, offset: 0n };
    this.position = position;
    return this.fd_tell();
  }

  fd_tell() {
    return { ret: wasi.ERRNO_SUCCESS, offset: BigInt(this.position) };
  }

  fd_sync() {
    return wasi.ERRNO_SUCCESS;
  }
}
