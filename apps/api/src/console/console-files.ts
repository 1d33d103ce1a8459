/**
 * The files of the console, as the build has made them. Their names have a digest of what is in them, so browsers keep them for ever; the page
 * names the newest. docs/decisions/0212-the-console-is-a-page-of-the-api.md tells how it is made.
 */
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HttpFault } from '../edge/http-fault.js';

/** Nothing of the page comes from another origin, and it reaches no other. No other page can show it in a frame. */
export const consolePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Below `apps/api`. The build makes it: `scripts/console.mjs`. */
const builtFolder = join(import.meta.dirname, '..', '..', 'public', 'console');

const typeOf: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface Built {
  page: string;
  /** The types of the files that there are, by name. */
  types: ReadonlyMap<string, string>;
}

export class ConsoleFiles {
  private built: Built | undefined;

  constructor(private readonly folder = builtFolder) {}

  /**
   * The page. Its files are named from where it is, so a proxy may put a prefix before every path.
   * @param inFolder whether the path that it was asked by ends with a slash
   * @throws {HttpFault} serviceUnavailable when the console was not built
   */
  page(inFolder: boolean): string {
    const { page } = this.read();
    return inFolder ? page : page.replaceAll('"./assets/', '"./console/assets/');
  }

  /**
   * A file of the page. @param gzipped whether the client takes it as the build has compressed it
   * @throws {HttpFault} itemNotFound
   */
  file(name: string, gzipped: boolean): { type: string; content: Readable } {
    const type = this.built?.types.get(name) ?? this.readIfBuilt()?.types.get(name);
    if (type === undefined) throw new HttpFault('itemNotFound', 'The console has no file of this name.');
    const stored = createReadStream(join(this.folder, 'assets', `${name}.gz`));
    return { type, content: gzipped ? stored : stored.compose(createGunzip()) };
  }

  private read(): Built {
    const built = this.readIfBuilt();
    if (built) return built;
    const message =
      'This service was built without its console. `npm run build` makes it. The API is not touched by that.';
    throw new HttpFault('serviceUnavailable', message, { 'retry-after': '60' });
  }

  /** What was built is read once. What was not is looked for at each request. */
  private readIfBuilt(): Built | undefined {
    if (this.built) return this.built;
    const page = join(this.folder, 'index.html');
    if (!existsSync(page)) return undefined;
    const names = readdirSync(join(this.folder, 'assets')).map((name) => name.replace(/\.gz$/, ''));
    const types = names.flatMap((name) => {
      const type = typeOf[extname(name)];
      return type === undefined ? [] : [[name, type] as const];
    });
    this.built = { page: readFileSync(page, 'utf8'), types: new Map(types) };
    return this.built;
  }
}
