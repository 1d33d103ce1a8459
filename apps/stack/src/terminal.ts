/**
 * Shows lines that stay, and below them a few lines that are drawn again and again while something goes on. Where the
 * output is no terminal, those lines are written only when they say something new.
 */
import { stripVTControlCharacters } from 'node:util';

export interface Screen {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

const narrow = 80;
/** Begins a control sequence. */
const csi = '\u001b[';

export class Terminal {
  private drawn: readonly string[] = [];
  private readonly written = new Set<string>();

  constructor(
    private readonly screen: Screen,
    private readonly colours: boolean,
  ) {}

  static ofProcess(): Terminal {
    return new Terminal(process.stdout, process.stdout.isTTY === true && !process.env.NO_COLOR);
  }

  /** Whether lines can be drawn over. */
  get isLive(): boolean {
    return this.screen.isTTY === true;
  }

  /** How many characters a line has; infinite where no terminal breaks it. */
  get width(): number {
    return this.isLive ? (this.screen.columns ?? narrow) : Number.POSITIVE_INFINITY;
  }

  readonly bold = (text: string) => this.styled('1', text);
  readonly dim = (text: string) => this.styled('2', text);
  readonly green = (text: string) => this.styled('32', text);
  readonly yellow = (text: string) => this.styled('33', text);
  readonly red = (text: string) => this.styled('31', text);

  /** Writes lines that stay, above the drawn ones. */
  say(...lines: string[]): void {
    const drawn = this.drawn;
    this.clear();
    this.screen.write(`${lines.join('\n')}\n`);
    if (this.isLive) this.draw(drawn);
  }

  /** Draws lines over those drawn before. Without a terminal it writes those that are new since the last `settle`. */
  draw(lines: readonly string[]): void {
    if (!this.isLive) {
      for (const line of lines) {
        if (!this.written.has(line)) this.screen.write(`${line}\n`);
        this.written.add(line);
      }
      return;
    }
    this.clear();
    // A line that the terminal breaks would count as two when it is drawn over.
    const fitting = lines.map((line) => clipped(line, this.width - 1));
    if (fitting.length > 0) this.screen.write(`${fitting.join('\n')}\n`);
    this.drawn = fitting;
  }

  /** Leaves the drawn lines where they are. */
  settle(): void {
    this.drawn = [];
    this.written.clear();
  }

  private clear(): void {
    if (this.drawn.length > 0) this.screen.write(`${csi}${this.drawn.length}A${csi}J`);
    this.drawn = [];
  }

  private styled(code: string, text: string): string {
    return this.colours ? `${csi}${code}m${text}${csi}0m` : text;
  }
}

/** @returns the line, cut to the width */
function clipped(line: string, width: number): string {
  if (stripVTControlCharacters(line).length <= width) return line;
  let left = width - 1;
  let text = '';
  // Each part but the first begins with the rest of a style: `32m` and then what it styles.
  for (const [index, part] of line.split(csi).entries()) {
    const style = index === 0 ? '' : part.slice(0, part.indexOf('m') + 1);
    const shown = [...part.slice(style.length)].slice(0, left);
    left -= shown.length;
    text += `${index === 0 ? '' : csi}${style}${shown.join('')}`;
  }
  return `${text}…`;
}
