/** The forms that events of several kinds have in them. */
import { z } from 'zod';

export const reason = z.string().min(1).max(2_000);
/** A code for programs, beside a reason for people. */
export const ground = z.string().min(1).max(64);
export const attempt = z.int().min(1);
