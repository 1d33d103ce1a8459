/**
 * Shows how far a long command is, how fast that goes, and how long it still takes: on a terminal by one line that is drawn again, elsewhere by a
 * line now and then. Under `--json` each line is JSON with a `message_type`, as that of `--wait`.
 */
import { note, noteJson, noteNothing, noteOver } from './output.js';

const redrawMs = 200;
const lineMs = 5_000;

/** What is counted. */
type Counted = 'bytes' | 'events' | 'backups';

export interface ProgressOptions {
  json?: boolean | undefined;
  /** Default: bytes. */
  counted?: Counted;
  /** How many there are. Without it, nothing is said of how much is left. */
  total?: number | undefined;
}

export class Progress {
  private done = 0;
  private total: number | undefined;
  private readonly json: boolean;
  private readonly counted: Counted;
  private readonly begunAt = performance.now();
  private saidAt = this.begunAt;

  /** @param doing what is done, such as `restoring` */
  constructor(
    private readonly doing: string,
    { json = false, counted = 'bytes', total }: ProgressOptions,
  ) {
    this.json = json;
    this.counted = counted;
    this.total = total;
  }

  /** May be called as often as anything has moved. */
  readonly add = (count: number): void => this.reach(this.done + count);

  /** For what counts by itself. @param total how many there are, where that is known by now */
  reach(done: number, total = this.total): void {
    this.done = done;
    this.total = total;
    const now = performance.now();
    const isDrawn = process.stderr.isTTY && !this.json;
    if (now - this.saidAt < (isDrawn ? redrawMs : lineMs)) return;
    this.saidAt = now;
    if (this.json) noteJson(this.message);
    else if (isDrawn) noteOver(this.line);
    else note(this.line);
  }

  /** Removes the line. */
  end(): void {
    if (!this.json) noteNothing();
  }

  get seconds(): number {
    return (performance.now() - this.begunAt) / 1_000;
  }

  get summary(): string {
    return `${this.amount(this.done)} in ${this.seconds.toFixed(1)} s`;
  }

  private get perSecond(): number {
    return this.done / Math.max(0.001, this.seconds);
  }

  private get percent(): number | undefined {
    if (this.total === undefined) return undefined;
    return Math.min(100, Math.floor((this.done / Math.max(1, this.total)) * 100));
  }

  /** Undefined when nothing is known of it: nothing is done yet, or nobody knows how much there is. */
  private get secondsLeft(): number | undefined {
    if (this.total === undefined || this.done === 0) return undefined;
    return Math.max(0, Math.ceil((this.total - this.done) / this.perSecond));
  }

  private get message() {
    const { doing, counted, done, total, percent, secondsLeft } = this;
    return {
      message_type: 'status',
      doing,
      [`${counted}_done`]: done,
      ...(total !== undefined && { [`${counted}_total`]: total, percent_done: percent }),
      [`${counted}_per_second`]: Math.round(this.perSecond),
      seconds_elapsed: Math.round(this.seconds),
      ...(secondsLeft !== undefined && { seconds_left: secondsLeft }),
    };
  }

  private get line(): string {
    const { doing, done, total, percent = 0, secondsLeft } = this;
    const of = total === undefined ? '' : ` of ${this.amount(total)}, ${percent} %`;
    const left = secondsLeft === undefined || percent === 100 ? '' : `, ${secondsLeft} s left`;
    return `${doing}: ${this.amount(done)}${of}, ${this.amount(this.perSecond)}/s${left}`;
  }

  private amount(count: number): string {
    return this.counted === 'bytes' ? megabytes(count) : `${Math.round(count)} ${this.counted}`;
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
