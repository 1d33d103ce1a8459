/** The rules of the contract on previews, each with the tests that show it. */
import { api, type Rule, whole } from './contract-rule.js';

const previewed = (title: string) => api('schedules/preview.int.spec.ts', title);

export const rulesOfPreviews: readonly Rule[] = [
  {
    rule: '`POST /schedules/{id}/preview` (+) takes the body of a change and tells the next runs (14, or `runs` of them, at most 100), what becomes of each backup, when and why, and which copies come and stay. What is previewed is what is done.',
    shown: [
      previewed('tells the runs to come, each with its kind, why, and what the slot is without the change'),
      previewed('tells of each backup whether it is kept or deleted, when and why, with and without the change'),
      previewed('tells which copies a region is owed that is added, and what stays in one that is taken out'),
      previewed('comes in pages, whose links lead to the older backups to the end'),
      [
        'libs/domain/src/preview/preview.model.spec.ts',
        'is what is done, whatever has happened before and whatever is changed',
      ],
      whole('schedule-preview', 'what is previewed of a change is what the scheduler does after it'),
    ],
  },
  {
    rule: 'A preview changes nothing and takes no Idempotency-Key. It needs the right to read schedules, and is refused as the change would be.',
    shown: [
      previewed('changes nothing, records nothing, and is told anew for every Idempotency-Key'),
      previewed('is for whoever may read schedules, though the change itself is not'),
      previewed('is refused in the words in which the change is refused: %j'),
      previewed('is a 400 for %j runs'),
    ],
  },
];
