/** Tests wait for real services, and for a busy machine; one that hangs still fails. */
import { jest } from '@jest/globals';

jest.setTimeout(60_000);
