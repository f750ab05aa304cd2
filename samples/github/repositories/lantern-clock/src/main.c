#include "clock.h"

int main(void)
{
    print_night(18 * 60 + 20, 6 * 60 + 5);
    return 0;
}
