/** Gives tests more time on a slow machine. A test that hangs still fails. */
import { jest } from '@jest/globals';

/** How many times slower this machine is than an idle one, at least 1. The times that tests wait are multiplied by it. */
export const patience = Math.max(1, Number(process.env.STRONGROOM_TEST_PATIENCE) || 1);

jest.setTimeout(60_000);
