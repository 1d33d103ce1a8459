/**
 * Node as Jest gives it to a test, with a patience that grows with the machine: a test or a hook may take its time limit
 * times the factor by which this machine, loaded as it is now, is slower than an idle one. What hangs still fails.
 */
import { spawnSync } from 'node:child_process';
import { TestEnvironment } from 'jest-environment-node';

/** What it takes an idle machine of 2020 to start a process of Node's. */
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
    // The test's own `process.env` is made of this process's.
    process.env.STRONGROOM_TEST_PATIENCE = factor.toFixed(2);
    super(config, context);
    this.factor = factor;
    this.patientWith = new WeakSet();
  }

  /** Jest's runner reads the limits after it has told of the start. A hook starts once for each test, and is one all the while. */
  handleTestEvent({ name, test, hook }, { testTimeout }) {
    if (name === 'test_start') test.timeout = (test.timeout ?? testTimeout) * this.factor;
    else if (name === 'hook_start' && !this.patientWith.has(hook)) {
      hook.timeout = (hook.timeout ?? testTimeout) * this.factor;
      this.patientWith.add(hook);
    }
  }
}
