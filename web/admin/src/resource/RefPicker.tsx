// Chooses a row of another resource by typing a part of its name.
import { request } from '@tracker/shared/api/client.ts';
import { cn } from '@tracker/shared/ui/cn.ts';
import { controlClass } from '@tracker/shared/ui/Input.tsx';
import { useQuery } from '@tanstack/react-query';
import { Command } from 'cmdk';
import { Check, ChevronDown, X } from 'lucide-react';
import { Popover } from 'radix-ui';
import { useDeferredValue, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useName } from './names';

interface RefPickerProps {
  id?: string;
  label: string;
  resources: string[];
  value: number | undefined;
  onChange: (id: number | undefined) => void;
  /** Only rows with these values are offered. */
  filter?: Record<string, string>;
  /** Nothing can be chosen too. */
  clearable?: boolean;
  invalid?: boolean;
  describedBy?: string | undefined;
}

interface Choice {
  id: number;
  name?: string;
  email?: string;
}

const OFFERED = 20;

function useChoices(resources: string[], q: string, filter: Record<string, string>, open: boolean) {
  return useQuery({
    queryKey: [`/api/v1/${resources[0]}`, 'choices', resources, q, filter],
    enabled: open,
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ limit: String(OFFERED), ...filter });
      if (q) query.set('q', q);
      signal.throwIfAborted();
      const pages = await Promise.all(
        resources.map((resource) => request<{ items: Choice[] }>('GET', `/api/v1/${resource}?${query}`)),
      );
      return pages.flatMap((page) => page.data.items);
    },
    placeholderData: (before) => before,
  });
}

export function RefPicker(props: RefPickerProps) {
  const { id, label, resources, value, onChange, filter = {}, clearable, invalid, describedBy } = props;
  const { t } = useTranslation('shared');
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const q = useDeferredValue(typed.trim());
  const name = useName(resources, value);
  const choices = useChoices(resources, q, filter, open);
  const shown = value === undefined ? t('field.choose') : (name ?? `#${value}`);
  const choose = (next: number | undefined) => {
    onChange(next);
    setOpen(false);
    setTyped('');
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <div className="flex min-w-0 gap-1">
        <Popover.Trigger
          id={id}
          aria-label={`${label}: ${shown}`}
          aria-invalid={invalid || undefined}
          aria-describedby={describedBy}
          className={cn(controlClass, 'flex min-w-0 items-center justify-between gap-2 text-left')}
        >
          <span className={cn('truncate', value === undefined && 'text-muted')}>{shown}</span>
          <ChevronDown aria-hidden className="size-4 shrink-0 text-muted" />
        </Popover.Trigger>
        {clearable && value !== undefined && (
          <button
            type="button"
            aria-label={`${t('action.clear')}: ${label}`}
            className="rounded-md px-2 hover:bg-raised"
            onClick={() => choose(undefined)}
          >
            <X aria-hidden className="size-4" />
          </button>
        )}
      </div>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 w-(--radix-popover-trigger-width) min-w-60 rounded-lg border border-line bg-surface shadow-lg"
        >
          <Command shouldFilter={false} label={label}>
            <Command.Input
              value={typed}
              onValueChange={setTyped}
              placeholder={t('field.typeToSearch')}
              className="w-full border-b border-line bg-transparent px-3 py-2 outline-none placeholder:text-muted"
            />
            <Command.List className="max-h-64 overflow-y-auto p-1">
              <Command.Empty className="px-3 py-2 text-muted">
                {choices.isFetching ? t('field.searching') : t('field.nothingFound')}
              </Command.Empty>
              {choices.data?.map((choice) => (
                <Command.Item
                  key={choice.id}
                  value={String(choice.id)}
                  onSelect={() => choose(choice.id)}
                  className="flex min-h-9 cursor-pointer items-center justify-between gap-2 rounded px-2.5 data-[selected=true]:bg-raised"
                >
                  <span className="truncate">{choice.name || choice.email}</span>
                  {choice.id === value && <Check aria-hidden className="size-4 shrink-0" />}
                </Command.Item>
              ))}
            </Command.List>
          </Command>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface RefsPickerProps extends Omit<RefPickerProps, 'value' | 'onChange' | 'clearable'> {
  value: number[];
  onChange: (ids: number[]) => void;
}

/** Several of them. */
export function RefsPicker({ value, onChange, ...rest }: RefsPickerProps) {
  return (
    <div className="flex flex-col gap-2">
      {value.length > 0 && (
        <ul className="flex flex-wrap gap-1">
          {value.map((id) => (
            <Chosen
              key={id}
              id={id}
              resources={rest.resources}
              onRemove={() => onChange(value.filter((v) => v !== id))}
            />
          ))}
        </ul>
      )}
      <RefPicker
        {...rest}
        value={undefined}
        onChange={(id) => id !== undefined && !value.includes(id) && onChange([...value, id])}
      />
    </div>
  );
}

function Chosen({ id, resources, onRemove }: { id: number; resources: string[]; onRemove: () => void }) {
  const { t } = useTranslation('shared');
  const name = useName(resources, id) ?? `#${id}`;
  return (
    <li className="inline-flex items-center gap-1 rounded-full bg-raised py-0.5 pr-1 pl-2.5">
      {name}
      <button
        type="button"
        aria-label={`${t('action.remove')}: ${name}`}
        className="rounded-full p-1 hover:bg-line"
        onClick={onRemove}
      >
        <X aria-hidden className="size-3.5" />
      </button>
    </li>
  );
}
