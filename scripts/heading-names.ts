/** The name by which a link reaches a heading, as GitHub makes it: the same link works there and on the site of the documents. */
export function nameOfHeading(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
