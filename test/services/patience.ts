/** Time limits for tests that wait for real services on a busy machine. A test that hangs still fails. */
import { jest } from '@jest/globals';

/** How much slower this machine is than an idle one, at least 1. Every time limit of a test is multiplied by it. */
export const patience = Math.max(1, Number(process.env.STRONGROOM_TEST_PATIENCE) || 1);

jest.setTimeout(60_000);
