import { describe, expect, it } from '@jest/globals';
import { leaksIn } from '../fixtures/leaks.js';

const theirs = '44b277eb-39be-4921-be31-3d61b43651d7';
const name = 'known to the other alone';
const found = (body: unknown, said = '', headers: Record<string, string> = {}) =>
  leaksIn({ said, answer: { headers: new Headers(headers), body } }, [theirs, name]);

describe('the guard against leaks between accounts', () => {
  it.each([
    [{ backups: [{ id: theirs }], links: [] }, ['backups.0.id']],
    [{ backup: { id: 'x', instance_id: theirs, name } }, ['backup.instance_id', 'backup.name']],
    [{ schedule: { source: { id: theirs } } }, ['schedule.source.id']],
    [{ backups: [], links: [{ rel: 'next', href: `http://x/v1.0/1/backups?marker=${theirs}` }] }, ['links.0.href']],
    [{ events: [{ data: { [theirs]: 1 } }] }, [`events.0.data.${theirs}`]],
    [{ itemNotFound: { code: 404, message: `Backup ${theirs} is of ${name}` } }, ['itemNotFound.message']],
    [`# HELP of ${theirs}`, ['']],
  ])('sees what an answer tells of another: %j', (body, at) => {
    expect(found(body)).toEqual(at);
  });

  it('lets a fault say what its own request said, and nothing else, nor anybody else say it', () => {
    const fault = { itemNotFound: { code: 404, message: `Backup "${theirs}" was not found in this account.` } };
    expect(found(fault, `/v1.0/1234/backups/${theirs}`)).toEqual([]);
    expect(found(fault, '/v1.0/1234/backups')).toEqual(['itemNotFound.message']);
    expect(found({ backup: { id: theirs } }, `/v1.0/1234/backups/${theirs}`)).toEqual(['backup.id']);
  });

  it('lets a link keep what its own request asked with', () => {
    const page = { events: [], links: [{ rel: 'next', href: `http://x/v1.0/1/events?status=${theirs}&marker=1` }] };
    expect(found(page, `/v1.0/1/events ${theirs}`)).toEqual([]);
    expect(found({ links: [{ title: theirs }] }, theirs)).toEqual(['links.0.title']);
  });

  it('looks at headers too', () => {
    expect(found({}, '', { 'x-request-id': 'a', etag: theirs })).toEqual(['header etag']);
  });
});
