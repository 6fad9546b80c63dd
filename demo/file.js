// A file for a WASI program that runs in a worker, over a `Blob`, such as a file that a visitor has picked. A read of
// the program reads from the blob; pages that the program writes are kept in memory.

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
    /** The written pages, by number. */
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

  /** Returns the changed file. Parts that were not written are not copied. */
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

/** An open file with a position. It cannot change its length, because neither program needs that. */
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
      // The file on the visitor's disk was changed or removed after it was picked.
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
    // `position` is NaN for an unknown `whence`.
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
