import { expect, it } from '@jest/globals';
import { ApiFault } from './api-fault.js';

it('names the refusal of a command, also one that only a newer service knows, and none where the call was wrong', () => {
  for (const refusal of ['backup-running-for-instance', 'of-a-newer-service', undefined]) {
    const fault = { code: 422, message: 'No.', ...(refusal !== undefined && { refusal }) };
    const answer = { status: 422, headers: new Headers(), body: { unprocessableEntity: fault } };
    expect(ApiFault.of('GET it', answer)).toMatchObject({ code: 'unprocessableEntity', refusal, retryable: false });
  }
});
