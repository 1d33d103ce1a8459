import { feedContract } from '../feed.contract.js';

feedContract('embedded', () => ({ kind: 'embedded' }));
