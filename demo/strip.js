// The strip of pages: squares fill when the pages of a file are read, and change colour when they are written.

export const PAGE = 4096;

const COLUMNS = 64;
/** The largest number of squares: in a large file a square stands for several pages. */
const SQUARES = COLUMNS * 16;

const READ = 1, WRITTEN = 2;

export class Strip {
  constructor(canvas) {
    this.canvas = canvas;
    this.start(0);
  }

  /** Starts with a file of `size` bytes, none of them read. */
  start(size) {
    this.pages = new Uint8Array(Math.ceil(size / PAGE));
    this.perCell = Math.max(1, Math.ceil(this.pages.length / SQUARES));
    this.cells = Array.from({ length: Math.ceil(this.pages.length / this.perCell) }, (_, index) =>
      ({ pages: Math.min(this.perCell, this.pages.length - index * this.perCell), read: 0, written: 0 }));
    this.read = this.written = 0;
    this.canvas.height = Math.max(1, Math.ceil(this.cells.length / COLUMNS));
    this.draw();
  }

  /** Marks bytes as read or written. */
  mark(kind, from, to) {
    const bit = kind === "read" ? READ : WRITTEN;
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page += 1) {
      if ((this.pages[page] & bit) !== 0) continue;
      this.pages[page] |= bit;
      this.cells[Math.floor(page / this.perCell)][kind] += 1;
      this[kind] += 1;
    }
  }

  draw() {
    const style = getComputedStyle(this.canvas);
    const [none, read, written] = ["--none", "--some", "--changed"].map((name) => style.getPropertyValue(name));
    const context = this.canvas.getContext("2d");
    this.cells.forEach((cell, index) => {
      const place = [index % COLUMNS, Math.floor(index / COLUMNS), 1, 1];
      context.fillStyle = none;
      context.fillRect(...place);
      context.fillStyle = cell.written > 0 ? written : read;
      context.globalAlpha = cell.written > 0 ? 1 : cell.read / cell.pages;
      context.fillRect(...place);
      context.globalAlpha = 1;
    });
    const total = this.pages.length.toLocaleString("en");
    this.canvas.setAttribute("aria-label",
      `${this.read.toLocaleString("en")} of ${total} pages read, ${this.written.toLocaleString("en")} written`);
  }
}
