/**
 * The object of an incremental backup that says how far the parent's content of each relation's fork still counts. Beyond the
 * limit it was cut off later, though the file may have grown again. PostgreSQL's own incremental files do not say it, and
 * without it the rows from before the cut come back in pages that were never logged.
 *
 *     strongroom-limit-blocks/1 START_LSN END_LSN TIMELINE       what it tells of
 *     TABLESPACE DATABASE RELATION FORK BLOCK                    oids, file number, 0 main 1 fsm 2 vm 3 init, first block
 *     end COUNT                                                  of the lines between; without it the object is cut off
 */
/** From the parent's start to the backup's own: the list tells of the changes in between. */
export interface Span {
  timeline: number;
  startLsn: string;
  endLsn: string;
}

export const limitBlocksName = 'limit_blocks';

export interface RelationLimit {
  space: number;
  /** 0 for relations that all databases share. */
  database: number;
  /** Its file number. 0 for a whole database that was made since. */
  relation: number;
  fork: number;
  block: number;
}

const chunkChars = 65_536;

export async function* limitBlocksObject(limits: AsyncIterable<RelationLimit>, span: Span): AsyncGenerator<Buffer> {
  let text = `strongroom-limit-blocks/1 ${span.startLsn} ${span.endLsn} ${span.timeline}\n`;
  let count = 0;
  for await (const { space, database, relation, fork, block } of limits) {
    count += 1;
    text += `${space} ${database} ${relation} ${fork} ${block}\n`;
    if (text.length < chunkChars) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(`${text}end ${count}\n`);
}
