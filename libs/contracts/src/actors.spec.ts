import { describe, expect, it } from '@jest/globals';
import { actorDetails, actorOfUser, isSameActor, serviceActor, storableName } from './actors.js';

const user = (id: string, name: string) => ({
  actor: actorOfUser(name),
  actorDetails: { kind: 'user' as const, id, name, domain: null, address: '192.0.2.1' },
});

describe('an actor', () => {
  it.each([
    'strongroom-retention',
    'Strongroom-Scheduler',
    'scheduler-db1-42',
    'replicator-db1-42',
    'user:strongroom-retention',
  ])('that is a user has no name of a component of ours: %s', (name) => {
    expect(actorOfUser(name)).toBe(`user:${name}`);
    expect(isSameActor(user(name, name), serviceActor(name))).toBe(false);
  });

  it('that is a user has its own name otherwise', () => {
    for (const name of ['jane', 'admin', 'backup-strongroom', 'jane@example.com']) expect(actorOfUser(name)).toBe(name);
  });

  it('is the same by its id, whatever it is called', () => {
    expect(isSameActor(user('u1', 'jane'), user('u1', 'jane the second'))).toBe(true);
    expect(isSameActor(user('u1', 'jane'), user('u2', 'jane'))).toBe(false);
  });

  it('is the same by its name where an older version has recorded no more', () => {
    expect(isSameActor({ actor: 'jane' }, user('u1', 'jane'))).toBe(true);
    expect(isSameActor({ actor: 'jane' }, user('u1', 'joe'))).toBe(false);
  });

  it('has a name that an event can hold, however it is written', () => {
    for (const name of ['a\0b', 'a\nb', '\u001b[2J', '\ud800', 'x'.repeat(1_000), '', `${'x'.repeat(255)}😀`]) {
      const details = { ...serviceActor('s').actorDetails, name: storableName(name), id: storableName(name) };
      expect(actorDetails.safeParse(details).success).toBe(true);
      expect(storableName(name)).toMatch(/^[^\p{Cc}\p{Cs}]+$/u);
      expect(actorOfUser(name)).toMatch(/^[^\p{Cc}\p{Cs}]{1,128}$/u);
    }
  });
});
