/** What the workflows, the Dockerfile and docker-compose.yml take from elsewhere, and which of it is not pinned. */

export interface ActionPin {
  action: string;
  commit: string;
  tag: string;
}

export interface NamedImage {
  image: string;
  digest: string | null;
}

/** For each image its digest; null as long as nobody has asked a registry for it. */
export type ImageLock = Readonly<Record<string, string | null>>;

const usesOf = (workflow: string) =>
  Array.from(workflow.matchAll(/^\s*(?:- )?uses:\s*(.*)$/gm), ([, use = '']) => use.trim());
const pinOf = (use: string): ActionPin | undefined => {
  const [, action, commit, tag] = /^([\w.-]+\/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/.exec(use) ?? [];
  return action && commit && tag ? { action, commit, tag } : undefined;
};

/** The actions of a workflow that are named by a commit, each with the tag that its comment names. */
export function actionsIn(workflow: string): ActionPin[] {
  return usesOf(workflow)
    .map(pinOf)
    .filter((pin) => pin !== undefined);
}

/** What a workflow uses without a commit and its tag. What lies in this repository needs none. */
export function unpinnedActions(workflow: string): string[] {
  return usesOf(workflow).filter((use) => pinOf(use) === undefined && !use.startsWith('./'));
}

const naming = /(^FROM |^# syntax=|^\s+image: )([^\s@]+)(?:@(\S+))?/gm;

/** The images of other makers that a Dockerfile or a Compose file names. */
export function imagesIn(text: string): NamedImage[] {
  const stages = new Set(Array.from(text.matchAll(/^FROM .* AS (\S+)$/gm), ([, stage]) => stage));
  return Array.from(text.matchAll(naming), ([, , image = '', digest = null]) => ({ image, digest })).filter(
    ({ image }) => !stages.has(image) && !image.startsWith('${'),
  );
}

/** The text with the digest of the lock behind each image that has one there. */
export function withDigests(text: string, lock: ImageLock): string {
  return text.replaceAll(naming, (named: string, before: string, image: string) =>
    lock[image] ? `${before}${image}@${lock[image]}` : named,
  );
}

/** What is wrong with the images that some files name. */
export function imageProblems(texts: readonly string[], lock: ImageLock): string[] {
  const used = texts.flatMap(imagesIn);
  const problems = used.flatMap(({ image, digest }) => {
    const wanted = lock[image];
    if (wanted === undefined) return [`${image} is not in docker/images.json`];
    if (wanted !== null && !/^sha256:[0-9a-f]{64}$/.test(wanted)) return [`${image} has ${wanted}, which is no digest`];
    if (digest === wanted) return [];
    return [`${image} is named with ${digest ?? 'no digest'}; in docker/images.json it has ${wanted ?? 'none'}`];
  });
  const unused = Object.keys(lock).filter((image) => !used.some((each) => each.image === image));
  return [...problems, ...unused.map((image) => `${image} is in docker/images.json, and nothing uses it`)];
}

/** The images that have no digest yet. A release is refused as long as there is one. */
export function withoutDigest(lock: ImageLock): string[] {
  return Object.keys(lock).filter((image) => lock[image] === null);
}

/** The services of a Compose file, each with its text and that of every anchor that it takes over. */
export function composeServices(text: string): Map<string, string> {
  const sections = new Map<string, string>();
  const section = (name: string) => new RegExp(`^${name}.*\\n(?:(?:[ #].*)?\\n)*`, 'm').exec(text)?.[0] ?? '';
  for (const [, anchor = ''] of text.matchAll(/^x-\S+: &(\S+)$/gm))
    sections.set(anchor, section(`x-\\S+: &${anchor}$`));
  const whole = (own: string): string =>
    own + Array.from(own.matchAll(/<<: \*(\S+)/g), ([, anchor = '']) => whole(sections.get(anchor) ?? '')).join('');
  const services = section('services:');
  return new Map(
    Array.from(services.matchAll(/^ {2}([\w-]+):\n((?: {4}.*\n|\n)*)/gm), ([, name = '', own = '']) => [
      name,
      // What stands below `environment` may take over an anchor too, which is no matter here.
      whole(own),
    ]),
  );
}
