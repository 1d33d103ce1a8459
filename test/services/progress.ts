/** What the command line says on its standard error but for the progress of what takes seconds, which a fast machine does not show. */
export function withoutProgress(said: string): string {
  return said
    .replace(/^restoring: .* MB\/s(?:, .* left)?\n/gm, '')
    .replace(/^\{"message_type":"status","doing":"restoring",.*\}\n/gm, '');
}
