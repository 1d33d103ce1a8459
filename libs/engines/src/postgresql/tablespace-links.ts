/** The links in pg_tblspc, each to a folder beside the data folder. */
import { mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalid } from './archives-of.js';

const linkOfTablespace = /^pg_tblspc\/(\d+)$/;

export class TablespaceLinks {
  private readonly oids = new Set<string>();

  constructor(
    private readonly directory: string,
    private readonly spaces: string,
  ) {}

  /** The folders of the tablespaces. */
  get made(): string[] {
    return [...this.oids].map((oid) => join(this.spaces, oid));
  }

  /** Of the tablespaces, as the data folder names them. */
  get paths(): string[] {
    return [...this.oids].map((oid) => `pg_tblspc/${oid}`);
  }

  /** One that is there stays. @throws {EngineFault} for a link where PostgreSQL has none */
  async make(path: string): Promise<void> {
    const oid = linkOfTablespace.exec(path)?.[1];
    if (oid === undefined) throw invalid(`it has a link at ${path}, where PostgreSQL has none`);
    if (this.oids.has(oid)) return;
    const space = join(this.spaces, oid);
    const link = join(this.directory, path);
    await mkdir(space, { recursive: true, mode: 0o700 });
    await mkdir(dirname(link), { recursive: true, mode: 0o700 });
    await symlink(space, link);
    this.oids.add(oid);
  }

  /** With the tablespace. */
  async remove(path: string): Promise<void> {
    const oid = linkOfTablespace.exec(path)?.[1] ?? '';
    await rm(join(this.directory, path), { force: true });
    await rm(join(this.spaces, oid), { recursive: true, force: true });
    this.oids.delete(oid);
  }
}
