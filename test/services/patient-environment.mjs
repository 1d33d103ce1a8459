/**
 * Jest's Node environment with longer time limits on a slow machine. Each limit is multiplied by a factor, which says
 * how much slower this machine is under its load than an idle one. A test that hangs still fails.
 */
import { spawnSync } from 'node:child_process';
import { TestEnvironment } from 'jest-environment-node';

/** How long an idle machine of 2020 takes to start a process of Node. */
const idleMs = 60;
const most = 20;

function slowness() {
  const begun = performance.now();
  for (let run = 0; run < 2; run += 1) spawnSync(process.execPath, ['-e', '0']);
  return Math.min(most, Math.max(1, (performance.now() - begun) / 2 / idleMs));
}

export default class PatientEnvironment extends TestEnvironment {
  constructor(config, context) {
    const factor = slowness();
    // The `process.env` of the test is a copy of this process's.
    process.env.STRONGROOM_TEST_PATIENCE = factor.toFixed(2);
    super(config, context);
    this.factor = factor;
    this.begun = new WeakSet();
  }

  /** Jest's runner reads the limits after it has announced the start. */
  handleTestEvent({ name, test, hook }, { testTimeout }) {
    if (name === 'test_start') this.wait(test, testTimeout);
    else if (name === 'hook_start') this.wait(hook, testTimeout);
  }

  /** A hook that runs before each test starts many times; its limit is multiplied only once. */
  wait(limited, testTimeout) {
    if (this.begun.has(limited)) return;
    this.begun.add(limited);
    limited.timeout = (limited.timeout ?? testTimeout) * this.factor;
  }
}
