// Why a report could not be used, in words.
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import type en from '../i18n/en';

export function useReason(): (reason: string) => string {
  const { t, i18n } = useTranslation('admin');
  return useCallback(
    (reason) =>
      i18n.exists(`admin:rejected.reason.${reason}`)
        ? t(`rejected.reason.${reason as keyof typeof en.rejected.reason}`)
        : reason,
    [t, i18n],
  );
}
