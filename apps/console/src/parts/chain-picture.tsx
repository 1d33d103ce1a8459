/** The chain of a backup: the full one, and each that is built on the one before it. A list beside it says the same in words. */
import type { BackupResource } from '@strongroom/contracts';
import { backupAddress } from '../route.js';
import { bytesOf } from '../sizes.js';
import { utcMinute } from '../times.js';

/** In units of the picture. */
const [box, gap, height] = [92, 28, 44] as const;

export function ChainPicture({ parts, hasMore }: { parts: readonly BackupResource[]; hasMore: boolean }) {
  const inOrder = parts.toReversed();
  const width = inOrder.length * (box + gap) - gap;
  return (
    <figure class="chain">
      <div class="scrolled">
        <svg viewBox={`-1 -1 ${width + 2} ${height + 2}`} width={width} height={height} role="img">
          <title>{`${inOrder.length === 1 ? 'One backup' : `A chain of ${inOrder.length} backups`}: ${inOrder.map(({ type }) => type).join(', ')}`}</title>
          {inOrder.map((part, at) => (
            <g key={part.id} transform={`translate(${at * (box + gap)} 0)`} class={part.type}>
              {at > 0 && <path d={`M${-gap} ${height / 2}h${gap - 4}m-6 -5l6 5l-6 5`} />}
              <rect width={box} height={height} rx="6" class={part.id === parts[0]?.id ? 'this' : undefined} />
              <text x={box / 2} y="18">
                {part.type === 'full' ? 'full' : 'increment'}
              </text>
              <text x={box / 2} y="34">
                {bytesOf(part.size_bytes)}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <figcaption>
        {hasMore && <p class="quiet">It has older parts than these.</p>}
        <ol>
          {inOrder.map((part) => (
            <li key={part.id}>
              {part.id === parts[0]?.id ? (
                'This backup'
              ) : (
                <a href={backupAddress(part.id)}>{utcMinute(new Date(part.created))}</a>
              )}
              : {part.type}, {bytesOf(part.size_bytes)}, whole in {part.whole_in.join(', ') || 'no region'}
            </li>
          ))}
        </ol>
      </figcaption>
    </figure>
  );
}
