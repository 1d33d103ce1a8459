import { describe, expect, it } from '@jest/globals';
import { isOfAccount, operations, takesKey } from '@strongroom/contracts';
import { hasRight } from './rights.js';

const namesOf = (list: readonly { name: string }[]) => list.map(({ name }) => name);
const ofAccount = operations.filter(isOfAccount);
const principal = (...roles: string[]) => ({ name: 'someone', accountId: '1234', roles });
/** The operations that roles are let into. */
const allowedTo = (...roles: string[]) =>
  namesOf(ofAccount.filter(({ rights = [] }) => rights.some((right) => hasRight(principal(...roles), right))));
/** What only an admin reads. */
const isAudit = ({ name }: { name: string }) => name === 'getAudit';
/** What changes nothing here, and sends something to somebody else. */
const isSending = ({ name }: { name: string }) => ['postWebhooksIdTest', 'postWebhooksIdReplay'].includes(name);

describe('roles', () => {
  it('let an admin do everything', () => {
    expect(allowedTo('admin')).toEqual(namesOf(ofAccount));
  });

  it('let a creator do everything but delete, and read the audit', () => {
    const expected = ofAccount.filter((each) => each.method !== 'DELETE' && !isAudit(each));
    expect(allowedTo('creator')).toEqual(namesOf(expected));
  });

  it('let an observer read and nothing else, but not the audit', () => {
    const expected = ofAccount.filter((each) => !takesKey(each) && !isAudit(each) && !isSending(each));
    expect(allowedTo('observer')).toEqual(namesOf(expected));
  });

  it('let nobody else do anything', () => {
    expect(allowedTo()).toEqual([]);
    expect(allowedTo('Admin', 'member', 'constructor', '__proto__')).toEqual([]);
  });

  it('add up: what one of them allows is allowed', () => {
    expect(allowedTo('observer', 'creator')).toEqual(allowedTo('creator'));
  });
});
