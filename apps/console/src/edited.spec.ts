import { describe, expect, it } from '@jest/globals';
import { besideOf, unedited, withMade, withNews, withTyped } from './edited.js';

const read = { time: '03:15', keep: '2' };

describe('a form whose thing changes beside it', () => {
  it('follows where the person has changed nothing, and tells nothing', () => {
    const edited = withNews(unedited(read), { time: '04:00', keep: '3' });
    expect(edited.typed).toEqual({ time: '04:00', keep: '3' });
    expect(besideOf(edited)).toEqual([]);
  });

  it('keeps what the person has typed, follows in the rest, and tells both', () => {
    const edited = withNews(withTyped(unedited(read), 'keep', '9'), { time: '04:00', keep: '3' });
    expect(edited.typed).toEqual({ time: '04:00', keep: '9' });
    expect(besideOf(edited)).toEqual([
      { name: 'time', was: '03:15', is: '04:00', typed: '04:00' },
      { name: 'keep', was: '2', is: '3', typed: '9' },
    ]);
  });

  it('tells all that has changed since the person began, also when it changes twice', () => {
    const once = withNews(withTyped(unedited(read), 'keep', '9'), { ...read, time: '04:00' });
    expect(besideOf(withNews(once, { ...read, time: '05:00' }))).toMatchObject([{ was: '03:15', is: '05:00' }]);
    expect(besideOf(withNews(once, read))).toEqual([]);
  });

  it('tells nothing any more when the person takes the change back', () => {
    const edited = withNews(withTyped(unedited(read), 'keep', '9'), { ...read, time: '04:00' });
    expect(besideOf(withTyped(edited, 'keep', '2'))).toEqual([]);
  });

  it('does not take for a change beside it what the person has made, and keeps what was typed since', () => {
    const typed = withTyped(unedited(read), 'keep', '9');
    const later = withTyped(withMade(typed, typed.typed), 'time', '06:00');
    const edited = withNews(later, { time: '03:15', keep: '9' });
    expect(besideOf(edited)).toEqual([]);
    expect(edited.typed).toEqual({ time: '06:00', keep: '9' });
  });

  it('has a field that is new, and none that is gone', () => {
    const edited = withNews(withTyped(unedited(read), 'keep', '9'), { keep: '2', 'to IAD': 'yes' });
    expect(edited.typed).toEqual({ keep: '9', 'to IAD': 'yes' });
  });
});
