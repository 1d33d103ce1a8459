import { notebookUnderTest } from '../fixtures/notebook-under-test.js';
import { engineContract } from './engine.contract.js';

engineContract('the notebooks of the tests', notebookUnderTest);
