/** Tests wait for real services, and for a busy machine; one that hangs still fails. */
import { jest } from '@jest/globals';

/** How much slower this machine is than an idle one: what a test waits for may take so many times longer. At least 1. */
export const patience = Math.max(1, Number(process.env.STRONGROOM_TEST_PATIENCE) || 1);

jest.setTimeout(60_000);
