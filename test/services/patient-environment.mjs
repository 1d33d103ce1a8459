/**
 * Jest's Node environment with longer time limits on a slow machine. Each limit is multiplied by a factor, which says
 * how much slower this machine is under its load than an idle one. The load changes while a file of tests runs, so the factor
 * is measured again from time to time, and a limit never follows it down within a file. A test that hangs still fails.
 */
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { TestEnvironment } from 'jest-environment-node';
import { slowness } from './slowness.mjs';

const measureAgainMs = 20_000;
/** A measure costs as much as a small file of unit tests. So one that is this young counts for the next files, of all workers. */
const youngMs = 5_000;
const last = { factor: 1, at: Number.NEGATIVE_INFINITY };
/** `npm test` names a file where each worker writes what it measures, one number a line. */
const notes = process.env.STRONGROOM_PATIENCE_NOTES;

export default class PatientEnvironment extends TestEnvironment {
  constructor(config, context) {
    const factor = performance.now() - last.at < youngMs ? last.factor : measured();
    // The `process.env` of the test is a copy of this process's.
    process.env.STRONGROOM_TEST_PATIENCE = factor.toFixed(2);
    super(config, context);
    this.factor = factor;
    this.measuredAt = last.at;
    this.begun = new WeakSet();
  }

  /** Jest's runner reads the limits after it has announced the start. */
  handleTestEvent({ name, test, hook }, { testTimeout }) {
    if (name === 'test_start') {
      this.measureAgain();
      this.wait(test, testTimeout);
    } else if (name === 'hook_start') this.wait(hook, testTimeout);
  }

  measureAgain() {
    if (performance.now() - this.measuredAt < measureAgainMs) return;
    const factor = measured();
    this.measuredAt = last.at;
    if (factor <= this.factor) return;
    this.factor = factor;
    this.global.process.env.STRONGROOM_TEST_PATIENCE = factor.toFixed(2);
  }

  /** A hook that runs before each test starts many times; its limit is multiplied only once. */
  wait(limited, testTimeout) {
    if (this.begun.has(limited)) return;
    this.begun.add(limited);
    limited.timeout = (limited.timeout ?? testTimeout) * this.factor;
  }
}

function measured() {
  const others = measuredByOthers();
  const factor = others ?? slowness();
  Object.assign(last, { factor, at: performance.now() });
  if (notes && others === undefined) appendFileSync(notes, `${factor.toFixed(2)}\n`);
  return factor;
}

/** What another worker has measured a moment ago; undefined when none has. */
function measuredByOthers() {
  if (!notes || Date.now() - statSync(notes).mtimeMs >= youngMs) return undefined;
  const factor = Number(readFileSync(notes, 'utf8').trimEnd().split('\n').at(-1));
  return factor >= 1 ? factor : undefined;
}
