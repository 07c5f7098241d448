// Drop-down menus (Radix): arrow keys, type-ahead, Escape.
import { Check } from 'lucide-react';
import { DropdownMenu as Radix } from 'radix-ui';
import type { ReactNode } from 'react';
import { cn } from './cn';

const itemClass =
  'flex min-h-9 cursor-pointer items-center gap-2 rounded px-2.5 py-1.5 outline-none select-none ' +
  'data-highlighted:bg-raised data-disabled:cursor-not-allowed data-disabled:opacity-50';

export function Menu({
  trigger,
  children,
  align = 'end',
  defaultOpen = false,
}: {
  trigger: ReactNode;
  /** Opens with its first render: for a menu that was loaded because somebody wants it. */
  defaultOpen?: boolean;
  children: ReactNode;
  align?: 'start' | 'end';
}) {
  return (
    <Radix.Root modal={false} defaultOpen={defaultOpen}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-50 max-h-[var(--radix-dropdown-menu-content-available-height)] min-w-48 overflow-y-auto rounded-lg border border-line bg-surface p-1 shadow-lg"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface MenuItemProps {
  onSelect: () => void;
  disabled?: boolean;
  danger?: boolean;
  icon?: ReactNode;
  children: ReactNode;
}

export function MenuItem({ onSelect, disabled, danger, icon, children }: MenuItemProps) {
  return (
    <Radix.Item
      className={cn(itemClass, danger && 'text-danger')}
      onSelect={onSelect}
      {...(disabled ? { disabled } : {})}
    >
      {icon}
      {children}
    </Radix.Item>
  );
}

/** An item that is a link: pass the router's <Link> as child. */
export function MenuLink({ children }: { children: ReactNode }) {
  return (
    <Radix.Item asChild className={itemClass}>
      {children}
    </Radix.Item>
  );
}

export function MenuCheck({
  checked,
  onChange,
  children,
}: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
}) {
  return (
    <Radix.CheckboxItem
      className={cn(itemClass, 'pl-8 relative')}
      checked={checked}
      onCheckedChange={onChange}
      // Several are usually changed in a row.
      onSelect={(event) => event.preventDefault()}
    >
      <Radix.ItemIndicator className="absolute left-2">
        <Check aria-hidden className="size-4" />
      </Radix.ItemIndicator>
      {children}
    </Radix.CheckboxItem>
  );
}

export function MenuChoices<T extends string>({
  label,
  value,
  onChange,
  choices,
}: {
  label: string;
  value: T;
  onChange: (value: T) => void;
  choices: { value: T; label: string }[];
}) {
  return (
    <>
      <Radix.Label className="px-2.5 pt-2 pb-1 text-xs font-medium text-muted">{label}</Radix.Label>
      <Radix.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
        {choices.map((choice) => (
          <Radix.RadioItem key={choice.value} value={choice.value} className={cn(itemClass, 'pl-8 relative')}>
            <Radix.ItemIndicator className="absolute left-2">
              <Check aria-hidden className="size-4" />
            </Radix.ItemIndicator>
            {choice.label}
          </Radix.RadioItem>
        ))}
      </Radix.RadioGroup>
    </>
  );
}

export function MenuLine() {
  return <Radix.Separator className="my-1 h-px bg-line" />;
}
