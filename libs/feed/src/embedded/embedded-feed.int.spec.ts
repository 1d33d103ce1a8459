import { feedContract } from '../feed.contract.js';
import { feedLossesContract } from '../feed-losses.contract.js';

feedContract('embedded', () => ({ kind: 'embedded' }));
feedLossesContract('embedded', () => ({ kind: 'embedded' }));
