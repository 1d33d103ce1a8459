/** Shows what is starting: one row for each part, in a fixed order, with what it does, how it ended and how long it took. */
import type { Terminal } from './terminal.js';

const labelWidth = 16;
const detailWidth = 46;
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 120;
/** Where lines cannot be drawn over, what a part does is told no more often than this. */
const tellAgainMs = 10_000;

export interface Row {
  /** Says what the part does now, when that takes a while. */
  doing(what: string): void;
  done(detail: string): void;
  /** The part is done, and there is something to know about it. */
  noted(detail: string): void;
}

type State = 'waiting' | 'doing' | 'done' | 'noted' | 'failed';
interface RowState {
  label: string;
  state: State;
  detail: string;
  begunAt: number;
  endedAt: number;
}

export class Board {
  private readonly rows: RowState[];
  private frame = 0;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly terminal: Terminal,
    labels: readonly string[],
  ) {
    this.rows = labels.map((label) => ({ label, state: 'waiting', detail: '', begunAt: 0, endedAt: 0 }));
    if (!terminal.isLive) return;
    this.timer = setInterval(() => {
      this.frame += 1;
      this.draw();
    }, frameMs).unref();
    this.draw();
  }

  /** The part of this row begins to start. */
  begin(label: string): Row {
    const row = this.rows.find((each) => each.label === label);
    if (!row) throw new Error(`the board has no row ${label}`);
    const change = (state: State, detail: string) => {
      Object.assign(row, { state, detail, endedAt: performance.now() });
      this.draw();
    };
    row.begunAt = performance.now();
    change('doing', '');
    let toldAt = Number.NEGATIVE_INFINITY;
    return {
      doing: (what) => {
        if (!this.terminal.isLive && performance.now() - toldAt < tellAgainMs) return;
        toldAt = performance.now();
        change('doing', what);
      },
      done: (detail) => change('done', detail),
      noted: (detail) => change('noted', detail),
    };
  }

  /** Leaves the board as it is. A part that was still starting has failed, or was cancelled. */
  end(): void {
    clearInterval(this.timer);
    for (const row of this.rows) if (row.state === 'doing') row.state = 'failed';
    if (this.terminal.isLive) this.draw();
    this.terminal.settle();
  }

  private draw(): void {
    const shown = this.terminal.isLive ? this.rows : this.rows.filter(({ state }) => state !== 'waiting');
    const lines = shown.flatMap((row) => {
      // Without a terminal, a part that begins is shown only when it has something to say.
      if (!this.terminal.isLive && row.state === 'doing' && row.detail === '') return [];
      return [this.line(row)];
    });
    this.terminal.draw(lines);
  }

  private line({ label, state, detail, begunAt, endedAt }: RowState): string {
    const { dim, green, yellow, red } = this.terminal;
    const mark = {
      waiting: dim('·'),
      doing: dim(this.terminal.isLive ? (frames[this.frame % frames.length] ?? '') : '…'),
      done: green('✓'),
      noted: yellow('!'),
      failed: red('✗'),
    }[state];
    const isOver = state === 'done' || state === 'noted';
    const time = isOver ? `${((endedAt - begunAt) / 1_000).toFixed(1)} s` : '';
    const text = state === 'waiting' ? dim(label.padEnd(labelWidth)) : label.padEnd(labelWidth);
    // A long note is shown whole, and the time is left out for it.
    const rest = detail.length > detailWidth ? detail : `${detail.padEnd(detailWidth)} ${time.padStart(7)}`;
    return `  ${mark} ${text} ${state === 'noted' ? rest : dim(rest)}`.trimEnd();
  }
}
