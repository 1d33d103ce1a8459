import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-site-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The links of a site with these files that lead nowhere. */
function deadLinks(files: Record<string, string>): unknown {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const ask = `import { deadLinks } from ${JSON.stringify(join(__dirname, 'site-links.mjs'))};
    console.log(JSON.stringify(await deadLinks(${JSON.stringify(folder)})));`;
  return JSON.parse(spawnSync(process.execPath, ['--input-type=module', '-e', ask], { encoding: 'utf8' }).stdout);
}

describe('the links of the site', () => {
  it('lead to pages, folders, files and headings that are there', () => {
    expect(
      deadLinks({
        'index.html':
          '<a href="/one">a</a><a href="/two/">b</a><a href="/one#a-b">c</a><a href="https://x.example/no">d</a><link href="/style.css">',
        'one.html': '<h2 id="a-b">x</h2><a href="#a-b">a</a><a href="./two/#end">b</a>',
        'two/index.html': '<p id="end">x</p><a href="../one">a</a>',
        'style.css': '',
      }),
    ).toEqual([]);
  });

  it('are told when a page or a heading is missing', () => {
    expect(
      deadLinks({
        'index.html': '<a href="/three">a</a><a href="/one#c">b</a><a href="#d">c</a>',
        'one.html': '<h2 id="a-b">x</h2>',
      }),
    ).toEqual(['index.html: /three', 'index.html: /one#c', 'index.html: #d']);
  });
});
