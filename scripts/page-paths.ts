/** Finds what a page names and what is not there: files that it links to or writes as code, and headings that it links to. */
import { dirname, join, normalize } from 'node:path';
import { nameOfHeading } from './heading-names.js';

export interface Page {
  /** The path from the project's root. */
  path: string;
  text: string;
}

const rooms = ['apps', 'libs', 'test', 'scripts', 'docs', 'bench', 'docker', '.ci', '.github'];
/** The endings of sources. A name such as `vault.json` may be a file that the product writes. */
const endings = 'ts|mjs|cjs|sql|md|sh';

/**
 * A path is written whole, or is the end of one: `jobs/backup.ts` stands for every file that ends so. A `*` stands for
 * a part of a name, and a name in angle brackets for any.
 * @param files all files of the project, from its root
 */
export function missingPaths(page: Page, files: readonly string[]): string[] {
  const folders = new Set(files.flatMap(foldersOf));
  const linked = [...page.text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link = '']) =>
    normalize(join(dirname(page.path), link)),
  );
  const written = [...page.text.matchAll(/`([^`\s]+)`/g)].map(([, code = '']) => code).filter(isPath);
  return [
    ...linked.filter((path) => !isThere(path, files, folders)),
    ...written.filter((path) => !isThere(path, files, folders)),
  ];
}

/**
 * The headings that a page links to and that are not there, as it writes them: `#growing` or `operations.md#growing`.
 * @param textOf the text of the page at a path from the project's root; undefined when there is none
 */
export function missingHeadings(page: Page, textOf: (path: string) => string | undefined): string[] {
  return [...page.text.matchAll(/\]\((?!https?:)([^)#\s]*)#([^)]+)\)/g)]
    .filter(([, link = '', heading]) => {
      const path = link === '' ? page.path : normalize(join(dirname(page.path), link));
      const text = link === '' ? page.text : textOf(path);
      return text !== undefined && !headingsOf(text).has(heading ?? '');
    })
    .map(([, link = '', heading]) => `${link}#${heading}`);
}

/** The headings of a page as a link names them. */
function headingsOf(text: string): Set<string> {
  const titles = Array.from(text.matchAll(/^#+ (.+)$/gm), ([, title = '']) => title);
  return new Set(titles.map(nameOfHeading));
}

function isPath(code: string): boolean {
  return new RegExp(`^[\\w.*<>-]+(/[\\w.*<>-]+)*\\.(${endings})$`).test(code) || startsInRoom(code);
}

function startsInRoom(code: string): boolean {
  return rooms.some((room) => code.startsWith(`${room}/`));
}

function isThere(path: string, files: readonly string[], folders: ReadonlySet<string>): boolean {
  const plain = path.replace(/\/$/, '');
  if (folders.has(plain)) return true;
  const pattern = plain.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/\*|<[^>]*>/g, '[^/]*');
  const from = startsInRoom(plain) ? '^' : '(^|/)';
  const wanted = new RegExp(`${from}${pattern}$`);
  return files.some((file) => wanted.test(file)) || [...folders].some((folder) => wanted.test(folder));
}

function foldersOf(file: string): string[] {
  const folder = dirname(file);
  return folder === '.' ? [] : [folder, ...foldersOf(folder)];
}
