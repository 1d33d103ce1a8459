/** Tests on real services wait for processes to start and end; one that hangs still fails. */
import { jest } from '@jest/globals';

jest.setTimeout(60_000);
