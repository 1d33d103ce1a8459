/** Finds the links of a built site that lead nowhere. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, posix, relative, sep } from 'node:path';

/**
 * A link leads to a page of the site, to another file of it, or to a heading by its id. Links to other sites are not tried.
 * @param folder where the site was built
 * @returns a line for each link that leads nowhere: the page, and the link as it stands there
 */
export async function deadLinks(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  const pages = new Map(
    files.filter((file) => file.endsWith('.html')).map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
  const ids = new Map([...pages].map(([file, text]) => [file, valuesOf('id', text)]));
  const fileOf = (path) => [path, `${path}.html`, posix.join(path, 'index.html')].find((file) => files.includes(file));
  const dead = [];
  for (const [page, text] of pages) {
    for (const link of valuesOf('href', text)) {
      if (/^[a-z]+:/.test(link)) continue;
      const { pathname, hash } = new URL(link, `http://site/${page}`);
      const file = link.startsWith('#') ? page : fileOf(decodeURIComponent(pathname).slice(1));
      const heading = decodeURIComponent(hash.slice(1));
      if (file === undefined || (heading !== '' && ids.has(file) && !ids.get(file).has(heading)))
        dead.push(`${page}: ${link}`);
    }
  }
  return dead;
}

/** The values of an attribute in a page. */
function valuesOf(attribute, text) {
  return new Set(
    Array.from(text.matchAll(new RegExp(`\\s${attribute}="([^"]*)"`, 'g')), ([, value]) =>
      value.replaceAll('&amp;', '&'),
    ),
  );
}
