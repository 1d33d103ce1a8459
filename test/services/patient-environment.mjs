/**
 * Jest's Node environment with longer time limits on a slow machine. Each limit is multiplied by a factor, which says
 * how much slower this machine is under its load than an idle one. The load changes while a file of tests runs, so the factor
 * is measured again from time to time, and a limit never follows it down within a file. A test that hangs still fails. What a file
 * does now is said to whoever watches the run, and what it has left open is told when it is over.
 */
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { TestEnvironment } from 'jest-environment-node';
import { openBefore, tellLeftOpen } from './left-open.mjs';
import { slowness } from './slowness.mjs';
import { begins, isOver } from './under-way.mjs';

const measureAgainMs = 20_000;
/** A measure costs as much as a small file of unit tests. So one that is this young counts for the next files, of all workers. */
const youngMs = 5_000;
const last = { factor: 1, at: Number.NEGATIVE_INFINITY };
/** `npm test` names a file where each worker writes what it measures, one number a line. */
const notes = process.env.STRONGROOM_PATIENCE_NOTES;
/** How long the modules of a file may take to be read, and its process to be tidied up after it. */
const aroundMs = 60_000;

export default class PatientEnvironment extends TestEnvironment {
  constructor(config, context) {
    const factor = performance.now() - last.at < youngMs ? last.factor : measured();
    // The `process.env` of the test is a copy of this process's.
    process.env.STRONGROOM_TEST_PATIENCE = factor.toFixed(2);
    super(config, context);
    this.factor = factor;
    this.measuredAt = last.at;
    this.begun = new WeakSet();
    this.spec = relative(config.projectConfig.rootDir, context.testPath);
    begins(`${this.spec} reads its modules`, aroundMs * factor);
  }

  async setup() {
    await super.setup();
    this.before = await openBefore();
  }

  /** Jest's runner reads the limits after it has announced the start. */
  handleTestEvent({ name, test, hook }, { testTimeout }) {
    if (name === 'test_start') {
      this.measureAgain();
      this.wait(test, testTimeout);
    } else if (name === 'hook_start') {
      this.wait(hook, testTimeout);
      begins(`${this.spec} is in ${hook.type}${of(hook.parent)}`, hook.timeout);
    } else if (name === 'test_fn_start') {
      begins(`${this.spec} is in its test${of(test)}`, test.timeout);
    } else if (name === 'run_finish') {
      begins(`${this.spec} is over, and its process is not free`, aroundMs * this.factor);
    }
  }

  async teardown() {
    await super.teardown();
    await tellLeftOpen(this.spec, this.before, this.factor);
    isOver();
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

/** The titles of a test or of a block of tests; nothing of the whole file. */
function of(named) {
  const titles = [];
  for (let each = named; each?.parent; each = each.parent) titles.unshift(each.name);
  return titles.length > 0 ? ` of "${titles.join(' ')}"` : '';
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
