/** Tests wait longer on a busy machine, because they run on real services. A test that hangs still fails. */
import { jest } from '@jest/globals';

/** The factor by which this machine is slower now than an idle one, at least 1. Time limits are multiplied by it. */
export const patience = Math.max(1, Number(process.env.STRONGROOM_TEST_PATIENCE) || 1);

jest.setTimeout(60_000);
