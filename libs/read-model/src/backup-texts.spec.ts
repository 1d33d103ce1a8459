import { describe, expect, it } from '@jest/globals';
import { withBackups, withVersions } from './backup-texts.js';

describe('a page of backups that the database has written', () => {
  it('has the ids of versions in their places, whatever a version is called', () => {
    const place = (name: string) => `"\u0001${JSON.stringify(name)}\u0001"`;
    const text = `{"a":${place('postgresql 18')},"b":${place('odd "\\ \u0001 $& name')}}`;
    const ids = withVersions(text, (name) => `id of ${String(JSON.parse(name)).length}`);
    expect(JSON.parse(ids)).toEqual({ a: 'id of 13', b: 'id of 16' });
  });

  it('has the others between them, and leaves out what is gone', () => {
    const others = new Map([['x', '{"$&":1}']]);
    const filled = (...parts: string[]) => withBackups(parts.join(','), (id) => others.get(id));
    const [x, gone] = ['\u0002x\u0002', '\u0002gone\u0002'];
    expect(filled('1', x, '2', gone, '3')).toBe('1,{"$&":1},2,3');
    expect(filled(gone, '1', gone)).toBe('1');
    expect(filled(gone, gone, x)).toBe('{"$&":1}');
    expect(filled(gone)).toBe('');
    expect(filled('1', '2')).toBe('1,2');
  });
});
