/** The rules of the contract on explanations, each with the tests that show it. */
import { api, type Rule } from './contract-rule.js';

const explained = (title: string) => api('explanations/explanations.int.spec.ts', title);

export const rulesOfExplanations: readonly Rule[] = [
  {
    rule: '`GET /explain/{id}` (+) says of a schedule, a backup, a copy or an instance why it is as it is: a summary, and sentences that name their events. What is deleted is explained too.',
    shown: [
      explained('a schedule has its own events and those of its runs, each sentence with its event, and what it says'),
      explained('a backup says why it ran, where its copies are, and when it goes; and a copy why it waits'),
      explained('a deleted backup and a deleted schedule says who deleted it, though both are a 404 elsewhere'),
      explained('have the newest sentences first, and lead to the older ones to the end'),
    ],
  },
  {
    rule: 'With `as_of`, an explanation tells what was known at that instant. Before the beginning it is a 404.',
    shown: [
      explained('tells what the schedule said then, and nothing of what came later'),
      explained('is a 404 before the beginning, as that of what never was'),
      explained('is a 400 that says what an instant is: %j'),
    ],
  },
];
