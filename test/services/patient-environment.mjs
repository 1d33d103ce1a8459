/**
 * Jest's Node environment with longer time limits on a slow machine. Each limit is multiplied by a factor, which says
 * how much slower this machine is under its load than an idle one. The load changes while a file of tests runs, so the factor
 * is measured again from time to time, and a limit never follows it down within a file. A test that hangs still fails.
 */
import { appendFileSync } from 'node:fs';
import { TestEnvironment } from 'jest-environment-node';
import { slowness } from './slowness.mjs';

const measureAgainMs = 20_000;

export default class PatientEnvironment extends TestEnvironment {
  constructor(config, context) {
    const factor = slowness();
    // The `process.env` of the test is a copy of this process's.
    process.env.STRONGROOM_TEST_PATIENCE = factor.toFixed(2);
    super(config, context);
    this.factor = factor;
    this.measuredAt = performance.now();
    this.begun = new WeakSet();
    note(factor);
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
    const factor = slowness();
    this.measuredAt = performance.now();
    note(factor);
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

function note(factor) {
  const notes = process.env.STRONGROOM_PATIENCE_NOTES;
  if (notes) appendFileSync(notes, `${factor.toFixed(2)}\n`);
}
