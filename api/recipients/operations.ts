// The operations on recipients.
import type { Operation } from '../operation.ts';
import { eraseRecipient } from './erase-recipient.ts';

export const recipientOperations = (): Operation[] => [eraseRecipient()];
