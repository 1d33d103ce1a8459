/**
 * The `down` of every migration, which TypeORM requires. Undoing a schema would lose what was written in the newer one, so it
 * is refused, and nothing is changed.
 */
export async function noWayBack(): Promise<never> {
  throw new Error('a migration is never taken back: restore a backup of the database from before the upgrade');
}
