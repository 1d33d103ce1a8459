/**
 * The `down` of every migration, which TypeORM asks for. To take a schema back would lose what was written in the newer one,
 * so it is refused, and nothing is changed.
 */
export async function noWayBack(): Promise<never> {
  throw new Error('a migration is never taken back: restore a backup of the database from before the upgrade');
}
