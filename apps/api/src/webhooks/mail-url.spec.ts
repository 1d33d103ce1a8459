import { describe, expect, it } from '@jest/globals';
import { mailRouteOf } from './mail-url.js';

const people = 'from=a@example.com&to=b@example.com';
const routeOf = (text: string) => mailRouteOf(new URL(text));

describe('the URL of a mail server', () => {
  it('tells how it is reached, who logs in, and who gets the mail', () => {
    expect(routeOf(`smtps://us%40er:p%2Fw@Mail.Example.com?${people}`)).toEqual({
      ...{ host: 'mail.example.com', port: 465, tls: 'at-once' },
      ...{ login: { user: 'us@er', password: 'p/w' }, from: 'a@example.com', to: 'b@example.com' },
    });
    expect(routeOf(`smtp://mail.example.com/?${people}`)).toMatchObject({ port: 587, tls: 'starttls' });
    expect(routeOf(`smtp://[::1]:25?${people}&tls=disable`)).toMatchObject({ host: '::1', port: 25, tls: 'disable' });
  });

  it.each([
    ['https://mail.example.com', 'must begin with smtps: or smtp:'],
    ['smtps:?x', 'must have the name'],
    ['smtps://mail%2eexample.com', 'must have the name'],
    [`smtps://mail.example.com/inbox?${people}`, 'no path'],
    [`smtps://mail.example.com?${people}#x`, 'no fragment'],
    [`smtps://user@mail.example.com?${people}`, 'both a user and a password'],
    [`smtps://user:%00word@mail.example.com?${people}`, 'no control characters'],
    [`smtps://user:%ff@mail.example.com?${people}`, 'percent-encoded'],
    ['smtps://mail.example.com?from=a@example.com', 'to=NAME@HOST'],
    ['smtps://mail.example.com?from=a@example.com&to=b@example.com,c@example.com', 'to=NAME@HOST'],
    ['smtps://mail.example.com?from=a@example.com&to=b@example.com%0d%0aRCPT%20TO:<c@example.com>', 'to=NAME@HOST'],
    ['smtps://mail.example.com?from=%22a%22%0a<x@example.com>&to=b@example.com', 'from=NAME@HOST'],
    [`smtps://mail.example.com?${people}&to=c@example.com`, 'once'],
    [`smtps://mail.example.com?${people}&bcc=c@example.com`, 'from, to and tls alone'],
    [`smtp://mail.example.com?${people}&tls=require`, 'tls=disable'],
    [`smtps://mail.example.com?${people}&tls=disable`, 'must begin with smtp:'],
  ])('is not %s', (url, why) => {
    expect(() => routeOf(url)).toThrow(why);
  });
});
