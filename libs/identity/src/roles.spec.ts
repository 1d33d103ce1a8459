import { describe, expect, it } from '@jest/globals';
import { mayDo } from './roles.js';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get'];
const principal = (...roles: string[]) => ({ name: 'someone', accountId: '1234', roles });
const allowedTo = (...roles: string[]) => methods.filter((method) => mayDo(principal(...roles), method));

describe('roles', () => {
  it('let an admin do everything', () => {
    expect(allowedTo('admin')).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
  });

  it('let a creator do everything but delete', () => {
    expect(allowedTo('creator')).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'PATCH']);
  });

  it('let an observer read and nothing else', () => {
    expect(allowedTo('observer')).toEqual(['GET', 'HEAD']);
  });

  it('let nobody else do anything', () => {
    expect(allowedTo()).toEqual([]);
    expect(allowedTo('Admin', 'member', 'constructor')).toEqual([]);
  });

  it('add up: what one of them allows is allowed', () => {
    expect(allowedTo('observer', 'creator')).toEqual(allowedTo('creator'));
  });
});
